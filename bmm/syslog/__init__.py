"""Device logs: what boards send by syslog becomes lines of the journal, and what is alarming in it an event."""
