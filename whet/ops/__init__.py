"""What each op means, declared once; one family of ops a file."""
