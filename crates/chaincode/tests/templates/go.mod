module windlass.example/templates

go 1.24
