"""Asks a ModelArts API with the cloud's official SDK, as a program of a customer would.

Reads one JSON object from standard input:

  {"endpoint": "http://127.0.0.1:1", "projectId": "…", "accessKey": "…", "secretKey": "…",
   "calls": [{"operation": "list_pools", "request": {"workspace_id": "0"}, "secretKey": "…", "retries": 1}]}

and prints a JSON array with one outcome for each call, in their order. `secretKey`, `accessKey`,
`securityToken`, `projectId` and `retries` of a call win over those of the whole.

With `sign` in the place of `calls`, a list of requests taken off the wire, it prints for each what the
SDK's signer makes of it.
"""

import json
import re
import sys
import warnings
from urllib.parse import unquote

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import SdkException, ServiceResponseException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.http.http_handler import HttpHandler
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from huaweicloudsdkmodelarts.v1 import (
    ListPoolsRequest,
    ListWorkspaceRequest,
    ModelArtsClient,
    ShowPoolRequest,
)

REQUESTS = {
    "list_pools": ListPoolsRequest,
    "list_workspace": ListWorkspaceRequest,
    "show_pool": ShowPoolRequest,
}


def client_of(order, call, received):
    """A client for one call, which leaves in `received` what came over the wire."""

    def setting(name, default=None):
        return call.get(name, order.get(name, default))

    credentials = BasicCredentials(
        setting("accessKey"), setting("secretKey"), setting("projectId")
    )
    token = setting("securityToken")
    if token:
        credentials.with_security_token(token)
    config = HttpConfig.get_default_config()
    config.retry_times = setting("retries", 0)
    handler = HttpHandler().add_response_handler(
        lambda **kwargs: received.append(kwargs["response"])
    )
    # Given a project and an endpoint, the SDK asks nobody else for them.
    return (
        ModelArtsClient.new_builder()
        .with_credentials(credentials)
        .with_http_config(config)
        .with_http_handler(handler)
        .with_endpoint(order["endpoint"])
        .build()
    )


def outcome(order, call):
    """What the SDK says of one call."""
    received = []
    client = client_of(order, call, received)
    request = REQUESTS[call["operation"]](**call.get("request", {}))
    result = {"exception": None, "read": True}
    try:
        response = getattr(client, call["operation"])(request)
        result["status"] = response.status_code
        # Nothing where the body is empty.
        result["raw"] = (response.raw_content or b"").decode()
        result["typed"] = typed(response)
    except ServiceResponseException as error:
        result["exception"] = type(error).__name__
        result["status"] = error.status_code
        # IAM sends numbers, too.
        result["code"] = str(error.error_code)
        result["message"] = error.error_msg
        result["requestId"] = error.request_id
        result["authorization"] = error.encoded_auth_msg
    except SdkException as error:
        result["exception"] = type(error).__name__
        result["message"] = str(error)
    except Exception as error:  # The SDK's types refuse what its client has received.
        if not received:
            result["exception"] = type(error).__name__
            result["message"] = str(error)
        else:
            result["read"] = False
            result["status"] = received[-1].status_code
            result["raw"] = received[-1].content.decode()
    return result


def typed(response):
    """The names that the SDK's own types have found in an answer."""
    pools = getattr(response, "items", None)
    if pools is not None:
        return [pool.metadata.name for pool in pools]
    workspaces = getattr(response, "workspaces", None)
    if workspaces is not None:
        return [workspace.id for workspace in workspaces]
    metadata = getattr(response, "metadata", None)
    return [] if metadata is None else [metadata.name]


def signed(order, seen):
    """What the SDK's signer makes of a request, with the headers that were signed."""
    path, _, query = seen["target"].partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    names = re.search("SignedHeaders=([^,]*)", headers["authorization"]).group(1)
    request = SdkRequest(
        method=seen["method"],
        schema="http",
        host=headers["host"],
        resource_path=path,
        query_params=[(unquote(key), unquote(value)) for key, _, value in pairs],
        header_params={name: headers[name] for name in names.split(";")},
    )
    credentials = BasicCredentials(order["accessKey"], order["secretKey"])
    request = Signer(credentials).sign(request)
    return {"authorization": request.header_params["Authorization"], "target": request.uri}


def main():
    # It warns of each value whose type it does not expect.
    warnings.simplefilter("ignore")
    order = json.load(sys.stdin)
    if "sign" in order:
        answer = [signed(order, seen) for seen in order["sign"]]
    else:
        answer = [outcome(order, call) for call in order["calls"]]
    json.dump(answer, sys.stdout)


main()
