"""Signs the requests that schemathesis makes, for `tests/properties/main.rs`.

The API's host is a name that only AWS's resolvers know: requests go to API_URL and are signed for
API_HOST.
"""

import os

import requests
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


class Signature(requests.auth.AuthBase):
    def __call__(self, request):
        request.headers["Host"] = os.environ["API_HOST"]
        url = request.url.replace(os.environ["API_URL"], "http://" + os.environ["API_HOST"], 1)
        signed = AWSRequest(request.method, url, {"Host": os.environ["API_HOST"]}, request.body)
        credentials = Credentials(os.environ["API_KEY"], os.environ["API_SECRET"])
        SigV4Auth(credentials, "execute-api", os.environ["API_REGION"]).add_auth(signed)
        request.headers.update(signed.headers.items())
        return request


@schemathesis.hook
def before_call(context, case, kwargs):
    kwargs["auth"] = Signature()
