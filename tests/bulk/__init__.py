"""Many PUBs: packing, plans, budgets, and runs over backends."""
