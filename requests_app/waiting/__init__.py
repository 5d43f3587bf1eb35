"""Who waits, why, and until when; and telling those who wait for news of it."""
