"""The pages: rendered on the server and updated live in the browser."""
