"""A mirror of ModelArts pools with kopf: a daemon lists the cloud, events of the mirrors repair edits."""

import asyncio
import os
from datetime import datetime, timezone

import aiohttp
import kopf
from kubernetes_asyncio import client, config

GROUP, VERSION, KIND = "modelarts.huaweicloud.com", "v1alpha1", "modelartspools"
SOURCE_LABEL = f"{GROUP}/source"
STATES = ("creating", "available", "abnormal", "deleting", "creationFailed")
NAMESPACE, SOURCE = os.environ["NAMESPACE"], os.environ["SOURCE"]
URL = f"{os.environ['ENDPOINT']}/v2/{os.environ['PROJECT_ID']}/pools"
TOKEN, INTERVAL = os.environ["TOKEN"], float(os.environ["INTERVAL"])

desired = None  # name -> (object, status, ready); None until the first listing
present = {}  # what the watch said last, by name
writes = asyncio.Semaphore(16)
locks = {}


@kopf.on.startup()
async def startup(settings, **_):
    # kopf's own marks would be changes of the objects, and the mirrors must be equal.
    settings.posting.enabled = False
    settings.persistence.finalizer = f"{GROUP}/peer-kopf"
    settings.batching.worker_limit = 16


@kopf.daemon("modelartspoolsources", when=lambda name, **_: name == SOURCE, cancellation_timeout=5)
async def poll(stopped, uid, **_):
    await config.load_kube_config()
    async with client.ApiClient() as api, aiohttp.ClientSession() as http:
        globals()["objects"] = client.CustomObjectsApi(api)
        while not stopped:
            try:
                await mirror(http, uid)
            except (aiohttp.ClientError, client.ApiException, TimeoutError) as error:
                print("kopf: the pass has failed:", error, flush=True)
            await stopped.wait(INTERVAL)


async def mirror(http, uid):
    global desired
    pools, query = [], {"workspaceId": "0"}
    # An error ends the pass: half a listing would delete mirrors.
    while True:
        async with http.get(URL, params=query, headers={"X-Auth-Token": TOKEN}) as answer:
            answer.raise_for_status()
            page = await answer.json()
        pools += page["items"]
        query["continue"] = page.get("metadata", {}).get("continue")
        if not query["continue"]:
            break
    desired = {pool["metadata"]["name"]: wanted(pool, uid) for pool in pools}
    await asyncio.gather(*(reconcile(name) for name in desired.keys() | present.keys()))


@kopf.on.event(KIND, labels={SOURCE_LABEL: SOURCE})
async def changed(type, name, body, **_):
    if type == "DELETED":
        present.pop(name, None)
    elif name not in present or version(body) > version(present[name]):
        # The answer of a write may be ahead of the watch.
        present[name] = dict(body)
    if desired is not None:
        await reconcile(name)


def version(object):
    return int(object["metadata"]["resourceVersion"])


async def reconcile(name):
    """Writes what differs between a pool and its mirror, and nothing else."""
    async with locks.setdefault(name, asyncio.Lock()), writes:
        now = present.get(name)
        if name not in desired:
            if now is not None:
                try:
                    await objects.delete_namespaced_custom_object(GROUP, VERSION, NAMESPACE, KIND, name)
                except client.ApiException as error:
                    if error.status != 404:
                        raise
                present.pop(name, None)
            return
        object, status, ready = desired[name]
        if now is None or differs(object, now):
            now = present[name] = await apply(objects.patch_namespaced_custom_object, name, object)
        whole = with_conditions(status, ready, now)
        if whole != now.get("status"):
            body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "ModelArtsPool", "metadata": {"name": name}, "status": whole}
            present[name] = await apply(objects.patch_namespaced_custom_object_status, name, body)


async def apply(call, name, body):
    # The client's own reading of an answer knows no 201 of a patch, and makes it None.
    answer = await call(
        GROUP, VERSION, NAMESPACE, KIND, name, body, field_manager="peer-kopf", force=True,
        _content_type="application/apply-patch+yaml", _preload_content=False,
    )
    answer.raise_for_status()
    return await answer.json()


def differs(object, now):
    metadata, has = object["metadata"], now["metadata"]
    # What others add to the metadata is theirs.
    return (
        any(has.get(part, {}).get(k) != v for part in ("labels", "annotations") for k, v in metadata[part].items())
        or has.get("ownerReferences") != metadata["ownerReferences"]
        or now.get("spec") != object["spec"]
    )


def wanted(pool, uid):
    metadata, spec, status = pool["metadata"], pool["spec"], dict(pool.get("status", {}))
    nodes = status["resources"] = {state: [] for state in STATES} | status.get("resources", {})
    entries = {"desired": spec.get("resources")} | {state: nodes[state] for state in STATES}
    status["counts"] = {
        state: sum(e["count"] for e in those) for state, those in entries.items() if those is not None
    }
    if flavors := sorted({e["flavor"] for e in spec.get("resources", [])}):
        status["flavors"] = ",".join(flavors)
    status["creationTimestamp"] = metadata["creationTimestamp"]
    object = {
        "apiVersion": f"{GROUP}/{VERSION}", "kind": "ModelArtsPool",
        "metadata": {
            "name": metadata["name"], "namespace": NAMESPACE,
            "labels": cloud_keys(metadata.get("labels")) | {
                "os.modelarts/workspace.id": "0", SOURCE_LABEL: SOURCE,
                "app.kubernetes.io/managed-by": "modelarts-pool-controller",
            },
            "annotations": cloud_keys(metadata.get("annotations")) | {f"{GROUP}/cloud-api-version": pool["apiVersion"]},
            "ownerReferences": [{
                "apiVersion": f"{GROUP}/{VERSION}", "kind": "ModelArtsPoolSource",
                "name": SOURCE, "uid": uid, "controller": True,
            }],
        },
        "spec": spec,
    }
    phase = status.get("phase", "")
    ready = {"Running": "True", "": "Unknown"}.get(phase, "False"), phase or "NoPhase", status.get("message", "")
    return object, status, ready


def cloud_keys(of):
    prefixes = {k: k.split("/")[0] for k in of or {}}
    return {k: of[k] for k, p in prefixes.items() if p == "os.modelarts" or p.startswith("os.modelarts.")}


def with_conditions(status, ready, now):
    """The whole status; a time moves only with its condition's status."""
    generation = now["metadata"]["generation"]
    before = {c["type"]: c for c in now.get("status", {}).get("conditions", [])}
    conditions = []
    for type, (says, reason, message) in {
        "Ready": ready, "Synced": ("True", "Synced", ""), "Listed": ("True", "Listed", ""),
    }.items():
        old = before.get(type, {})
        since = old["lastTransitionTime"] if old.get("status") == says else f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
        conditions.append({
            "type": type, "status": says, "reason": reason, "message": message,
            "observedGeneration": generation, "lastTransitionTime": since,
        })
    return status | {"observedGeneration": generation, "conditions": conditions}
