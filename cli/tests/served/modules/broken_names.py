import json


def load():
    return json.loads("{broken")


CONFIG = load()
