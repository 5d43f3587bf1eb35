"""The whole system as processes on a simulated lab: under load, and while its parts are killed."""
