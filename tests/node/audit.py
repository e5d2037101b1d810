"""Compares the rights of the release's accounts with what they asked, from the API server's audit log.

audit.py refused LOG NAMESPACE ACCOUNT: fails where a request of an account of the namespace was answered with 401 or
403, and where this one has asked nothing.
audit.py rights LOG ACCOUNT: fails where a verb that is bound to the account was never used. Standard input has the roles
and their bindings as JSON documents, or lists of them.
"""

import json
import sys


def entries(log):
    for line in open(log, encoding="utf-8"):
        # The last one may be half written.
        if line.endswith("\n"):
            yield json.loads(line)


# Verbs of which the tests on an API server alone show the use: a definition that is served at once is not watched, and
# a mirror is read only where its creation finds something in its way (tests/chart_grants_what_is_needed.rs).
ELSEWHERE = {
    ("apiextensions.k8s.io", "customresourcedefinitions", "watch"),
    ("modelarts.huaweicloud.com", "modelartspools", "get"),
}


def refused(log, namespace, account):
    prefix = f"system:serviceaccount:{namespace}:"
    asked = [entry for entry in entries(log) if entry["user"].get("username", "").startswith(prefix)]
    if not any(a["user"]["username"] == prefix + account for a in asked):
        sys.exit(f"expected requests of {prefix}{account} in {log}, saw none")
    lines = {
        f"{a['user']['username'].removeprefix(prefix)}: {a['verb']} {a['requestURI']}: {a['responseStatus'].get('message', a['responseStatus']['code'])}"
        for a in asked
        if a.get("responseStatus", {}).get("code") in (401, 403)
    }
    if lines:
        sys.exit("expected no request to be refused, saw:\n" + "\n".join(sorted(lines)))
    accounts = sorted({a["user"]["username"].removeprefix(prefix) for a in asked})
    print(f"{len(asked)} requests of {', '.join(accounts)}")


def rights(log, account):
    given = granted(list(documents(sys.stdin.read())), account)
    if not given:
        sys.exit(f"expected roles that are bound to {account}, saw none")
    used = set()
    for entry in entries(log):
        if entry["user"].get("username") != account or "objectRef" not in entry:
            continue
        code = entry.get("responseStatus", {}).get("code", 200)
        # Not found is an answer: who may not ask is refused before.
        if code in (401, 403):
            continue
        used.add((*what(entry["objectRef"]), entry["verb"]))
        # A server-side apply of an object that is not there needs this right, too.
        if entry["verb"] == "patch" and code == 201:
            used.add((*what(entry["objectRef"]), "create"))
    unused = given - used - ELSEWHERE
    if unused:
        sys.exit("expected each verb to be used, never seen:\n" + "\n".join(f"{v} {r}.{g}" for g, r, v in sorted(unused)))
    print(f"all {len(given)} verbs of {account.rsplit(':', 1)[1]} were used")


def granted(objects, account):
    _, _, namespace, name = account.split(":")
    bound = set()
    for binding in objects:
        if binding["kind"] in ("RoleBinding", "ClusterRoleBinding"):
            for subject in binding.get("subjects") or []:
                if (subject["kind"], subject["name"], subject.get("namespace")) == ("ServiceAccount", name, namespace):
                    of = None if binding["roleRef"]["kind"] == "ClusterRole" else binding["metadata"].get("namespace")
                    bound.add((binding["roleRef"]["kind"], of, binding["roleRef"]["name"]))
    return {
        (group, resource, verb)
        for role in objects
        if role["kind"] in ("Role", "ClusterRole")
        and (role["kind"], None if role["kind"] == "ClusterRole" else role["metadata"].get("namespace"), role["metadata"]["name"]) in bound
        for rule in role["rules"] or []
        for group in rule.get("apiGroups", [])
        for resource in rule.get("resources", [])
        for verb in rule["verbs"]
    }


def documents(text):
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        yield from document["items"] if "items" in document else [document]


def what(reference):
    return reference.get("apiGroup", ""), "/".join(filter(None, (reference["resource"], reference.get("subresource"))))


{"refused": refused, "rights": rights}[sys.argv[1]](*sys.argv[2:])
