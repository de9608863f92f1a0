"""What buyers receive: confirmation mails, calendar entries, and QR codes for tickets."""
