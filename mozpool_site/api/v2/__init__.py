"""What every view of the v2 API shares: who may, bodies, pages, problems, and the schema that describes them."""
