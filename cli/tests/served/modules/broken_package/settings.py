import os

URL = os.environ["DB_URL"]
