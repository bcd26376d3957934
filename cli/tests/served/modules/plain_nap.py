"""Imports gevent where it is used only."""

inside = most = 0


def crowd(seconds):
    global inside, most
    import gevent

    inside += 1
    most = max(most, inside)
    gevent.sleep(seconds)
    inside -= 1
    return most
