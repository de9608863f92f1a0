"""What buyers are given: mail, calendar entries, ticket codes and their pictures."""
