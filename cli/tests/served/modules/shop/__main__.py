raise SystemExit("this is for python -m")
