"""The tests that every provider must pass, for packages that bring one."""
