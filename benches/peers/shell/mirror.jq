# The mirror of one pool: {object, status, ready}. The status is applied on its own, once the generation is known.
def cloud: with_entries(select(.key | test("^os\\.modelarts(\\.[^/]*)?/")) | .value |= tostring);
def sum: if type == "array" then (map(.count) | add // 0) else null end;

def mirror($source; $uid; $namespace):
  (.status.resources // {}) as $said
  | ({creating: [], available: [], abnormal: [], deleting: [], creationFailed: []} + $said) as $nodes
  | {
      object: {
        apiVersion: "modelarts.huaweicloud.com/v1alpha1",
        kind: "ModelArtsPool",
        metadata: {
          name: .metadata.name,
          namespace: $namespace,
          labels: ((.metadata.labels // {} | cloud) + {
            "os.modelarts/workspace.id": "0",
            "modelarts.huaweicloud.com/source": $source,
            "app.kubernetes.io/managed-by": "modelarts-pool-controller"
          }),
          annotations: ((.metadata.annotations // {} | cloud) + {
            "modelarts.huaweicloud.com/cloud-api-version": .apiVersion
          }),
          ownerReferences: [{
            apiVersion: "modelarts.huaweicloud.com/v1alpha1", kind: "ModelArtsPoolSource",
            name: $source, uid: $uid, controller: true
          }]
        },
        spec: .spec
      },
      status: (.status + {
        resources: $nodes,
        counts: ({
          desired: (.spec.resources | sum), available: ($nodes.available | sum),
          creating: ($nodes.creating | sum), abnormal: ($nodes.abnormal | sum),
          deleting: ($nodes.deleting | sum), creationFailed: ($nodes.creationFailed | sum)
        } | with_entries(select(.value != null))),
        flavors: ([.spec.resources[]?.flavor] | unique | join(",")),
        creationTimestamp: .metadata.creationTimestamp
      }),
      ready: (.status.phase // "" | {
        status: (if . == "Running" then "True" elif . == "" then "Unknown" else "False" end),
        reason: (if . == "" then "NoPhase" else . end)
      })
    };

# $now, or since when the object has said so: a time moves only with the status.
def conditions($ready; $message; $now):
  (.status.conditions // []) as $before
  | .metadata.generation as $generation
  | [
      {type: "Ready", status: $ready.status, reason: $ready.reason, message: $message},
      {type: "Synced", status: "True", reason: "Synced", message: ""},
      {type: "Listed", status: "True", reason: "Listed", message: ""}
    ]
  | map(. as $c | . + {
      observedGeneration: $generation,
      lastTransitionTime: ([$before[] | select(.type == $c.type and .status == $c.status) | .lastTransitionTime][0] // $now)
    });
