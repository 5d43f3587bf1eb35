"""Who may do what, how they prove who they are, and who did what: roles, tokens, throttles, the audit trail."""
