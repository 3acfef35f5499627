"""Signs the requests that schemathesis makes, for `tests/properties/main.rs`."""

import requests
import schemathesis

from signature import signed_headers


class Signature(requests.auth.AuthBase):
    def __call__(self, request):
        request.headers.update(signed_headers(request.method, request.url, request.body))
        return request


@schemathesis.hook
def before_call(context, case, kwargs):
    kwargs["auth"] = Signature()
