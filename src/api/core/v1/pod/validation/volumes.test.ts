import assert from "node:assert/strict";
import { test } from "node:test";
import { errorsOf, podWith } from "../../../../kind.suite.ts";

const at = "spec.volumes[0]";
const volume = (source: object, name = "v") =>
  podWith({ volumes: [{ name, ...source }], serviceAccountName: "a" });
/** What a source that no node can mount is told besides. */
const refused = (field: string, what: string) =>
  `${at}.${field}: Forbidden: nodes of this cluster cannot mount ${what}`;

const cases: [what: string, pod: object, ...errors: string[]][] = [
  [
    "volumes have different names",
    podWith({ volumes: [{ name: "a" }, { name: "a" }] }),
    `spec.volumes[1].name: Duplicate value: "a"`,
  ],
  ["a volume has a name", volume({}, ""), `${at}.name: Required value`],
  [
    "a volume has one source",
    volume({ emptyDir: {}, hostPath: { path: "/x" }, downwardAPI: {} }),
    `${at}.hostPath: Forbidden: may not specify more than 1 volume type`,
    `${at}.downwarAPI: Forbidden: may not specify more than 1 volume type`,
  ],
  [
    "a volume that is wrong cannot be mounted",
    podWith({
      volumes: [{ name: "v", hostPath: { path: "" } }],
      containers: [{ name: "c", image: "i", volumeMounts: [{ name: "v", mountPath: "/v" }] }],
    }),
    `${at}.hostPath.path: Required value`,
    `spec.containers[0].volumeMounts[0].name: Not found: "v"`,
  ],
  [
    "an emptyDir's limit is an amount",
    volume({ emptyDir: { sizeLimit: "-1" } }),
    `${at}.emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity`,
  ],
  [
    "a path of the host has no '..' and a known type",
    volume({ hostPath: { path: "/a/../b", type: "Pipe" } }),
    `${at}.hostPath.path: Invalid value: "/a/../b": must not contain '..'`,
    `${at}.hostPath.type: Unsupported value: "Pipe": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"`,
  ],
  [
    "a secret has a name, and modes are modes",
    volume({ secret: { secretName: "", defaultMode: 0o1000 } }),
    `${at}.secret.secretName: Required value`,
    `${at}.secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive`,
  ],
  [
    "a key becomes a file below the volume",
    volume({
      configMap: {
        name: "c",
        items: [
          { key: "", path: "" },
          { key: "k", path: "/etc" },
          { key: "k", path: "a/../b" },
          { key: "k", path: "..data", mode: -1 },
        ],
      },
    }),
    `${at}.configMap.items[0].key: Required value`,
    `${at}.configMap.items[0].path: Required value`,
    `${at}.configMap.items[1].path: Invalid value: "/etc": must be a relative path`,
    `${at}.configMap.items[2].path: Invalid value: "a/../b": must not contain '..'`,
    `${at}.configMap.items[3].path: Invalid value: "..data": must not start with '..'`,
    `${at}.configMap.items[3].mode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive`,
  ],
  [
    "a file of the downward API shows one thing",
    volume({
      downwardAPI: {
        items: [
          { path: "a" },
          { path: "b", fieldRef: { fieldPath: "spec.nodeName" } },
          { path: "c", resourceFieldRef: { resource: "limits.cpu" } },
          { path: "d", fieldRef: { fieldPath: "metadata.labels" } },
        ],
      },
    }),
    `${at}.downwardAPI: Required value: one of fieldRef and resourceFieldRef is required`,
    `${at}.downwardAPI.fieldRef.fieldPath: Unsupported value: "spec.nodeName": supported values: "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"`,
    `${at}.downwardAPI.resourceFieldRef.containerName: Required value`,
  ],
  [
    "a token lives for at least ten minutes",
    volume({ projected: { sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 599 } }] } }),
    `${at}.projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes`,
  ],
  [
    "a token is someone's",
    podWith({
      volumes: [{ name: "v", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } }],
    }),
    `${at}.projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set`,
  ],
  [
    "sources of a projected volume have one kind, and files of their own",
    volume({
      projected: {
        sources: [
          { secret: { name: "s", items: [{ key: "k", path: "file" }] } },
          { configMap: { name: "c", items: [{ key: "k", path: "file" }] } },
          { secret: { name: "s" }, configMap: { name: "c" } },
        ],
      },
    }),
    `${at}.projected: Invalid value: "c": conflicting duplicate paths`,
    `${at}.projected.sources[2]: Forbidden: may not specify more than 1 volume type per source`,
  ],
  [
    "a claim has a name",
    volume({ persistentVolumeClaim: {} }),
    `${at}.persistentVolumeClaim.claimName: Required value`,
  ],
  [
    "an ephemeral volume says what it claims",
    volume({ ephemeral: { volumeClaimTemplate: { spec: {} } } }),
    `${at}.ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required`,
    `${at}.ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value`,
  ],
  ["a volume of a CSI driver names it", volume({ csi: { driver: "" } }), `${at}.csi.driver: Required value`],
  [
    "NFS has a server and an absolute path",
    volume({ nfs: { server: "", path: "export" } }),
    `${at}.nfs.server: Required value`,
    `${at}.nfs.path: Invalid value: "export": must be an absolute path`,
  ],
  [
    "iSCSI has a target",
    volume({ iscsi: { targetPortal: "127.0.0.1", iqn: "iqn.bad", lun: 256 } }),
    `${at}.iscsi.iqn: Invalid value: "iqn.bad": must be valid format`,
    `${at}.iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive`,
    refused("iscsi", "iSCSI"),
  ],
  ["an image has a reference", volume({ image: { reference: "" } }), `${at}.image.reference: Required value`],
];

for (const [what, pod, ...errors] of cases) {
  test(what, () => assert.deepEqual(errorsOf("Pod", pod), errors));
}
