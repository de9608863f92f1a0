"""Documents for buyers: confirmation mails, calendar entries, and QR codes for tickets."""
