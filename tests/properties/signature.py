"""AWS Signature Version 4 for requests to the API, for what else is in this folder.

The API's host is a name that only AWS's resolvers know: requests go to API_URL and are signed for
API_HOST.
"""

import os

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def signed_headers(method, url, body):
    """The headers that sign a request whose `url` begins with API_URL."""
    host = os.environ["API_HOST"]
    url = url.replace(os.environ["API_URL"], "http://" + host, 1)
    request = AWSRequest(method, url, {"Host": host}, body)
    credentials = Credentials(os.environ["API_KEY"], os.environ["API_SECRET"])
    SigV4Auth(credentials, "execute-api", os.environ["API_REGION"]).add_auth(request)
    return dict(request.headers.items())
