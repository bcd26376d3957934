def group():
    try:
        pass
    except* ValueError:
        pass
