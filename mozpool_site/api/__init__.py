"""What every HTTP API of ours shares: who calls, what a body may be, and how errors are told."""
