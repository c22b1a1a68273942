import { allAuthenticated, systemMasters } from "./contract.ts";
import { type RoleBinding, type RuleSource, rulesFromBindings, type Subject } from "./rbac.ts";
import type { PolicyRule } from "./rules.ts";

/*
 * The roles that a cluster has before anyone makes one. Counterpart upstream:
 * `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`, of which these are the roles of the components that Peapod has.
 *
 * A rule is a line, `VERBS GROUPS RESOURCES [NAMES]`, each a comma-separated list; `core` stands for the core group.
 */

function rules(lines: string): PolicyRule[] {
  return lines
    .trim()
    .split("\n")
    .map((line) => {
      const [verbs, groups, resources, names] = line
        .trim()
        .split(" ")
        .map((part) => part.split(","));
      return {
        verbs: verbs!,
        apiGroups: groups!.map((group) => (group === "core" ? "" : group)),
        resources: resources!,
        ...(names && { resourceNames: names }),
      };
    });
}

const paths = (...nonResourceURLs: string[]): PolicyRule[] => [{ verbs: ["get"], nonResourceURLs }];

const events = "create,patch,update core,events.k8s.io events";

const healthPaths = ["/healthz", "/livez", "/readyz", "/version", "/version/"];

/** Every role but those of controllers, by name. */
export const clusterRoles: Readonly<Record<string, readonly PolicyRule[]>> = {
  "cluster-admin": [
    { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
    { verbs: ["*"], nonResourceURLs: ["*"] },
  ],
  "system:public-info-viewer": paths(...healthPaths),
  "system:discovery": paths("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", ...healthPaths),
  "system:basic-user": rules(`
    create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews
    create authentication.k8s.io selfsubjectreviews
  `),
  "system:monitoring": [
    ...paths(
      "/metrics",
      "/metrics/slis",
      ...["/healthz", "/livez", "/readyz"].flatMap((path) => [path, `${path}/*`]),
    ),
    ...rules("get core nodes/metrics"),
  ],
  "system:aggregated-metrics-reader": rules("get,list,watch metrics.k8s.io nodes,pods"),
  "system:service-account-issuer-discovery": paths(
    "/.well-known/openid-configuration",
    "/.well-known/openid-configuration/",
    "/openid/v1/jwks",
    "/openid/v1/jwks/",
  ),
  "system:kube-scheduler": rules(`
    ${events}
    create coordination.k8s.io leases
    get,list,update,watch coordination.k8s.io leases kube-scheduler
    get,list,watch core nodes,namespaces,replicationcontrollers,services,persistentvolumeclaims,persistentvolumes
    delete,get,list,watch core pods
    create core bindings,pods/binding
    patch,update core pods/status
    update core pods/finalizers
    get,list,watch apps replicasets,statefulsets
    get,list,watch policy poddisruptionbudgets
    get,list,watch storage.k8s.io csinodes,csidrivers,csistoragecapacities,volumeattachments,storageclasses
    patch,update core persistentvolumeclaims,persistentvolumes
    get,list,watch resource.k8s.io deviceclasses,resourceslices
    create,delete,get,list,patch,update,watch resource.k8s.io resourceclaims
    get,list,patch,update,watch resource.k8s.io resourceclaims/status
    create authentication.k8s.io tokenreviews
    create authorization.k8s.io subjectaccessreviews
  `),
  "system:kube-controller-manager": rules(`
    ${events}
    create coordination.k8s.io leases
    get,update coordination.k8s.io leases kube-controller-manager
    create,get,update core secrets,serviceaccounts
    delete core secrets
    get core configmaps,namespaces
    create core serviceaccounts/token
    list,watch * *
    create authentication.k8s.io tokenreviews
    create authorization.k8s.io subjectaccessreviews
  `),
};

/** What each controller may do as its own service account of `kube-system`; upstream names the roles `system:controller:NAME`. */
export const controllerRoles: Readonly<Record<string, readonly PolicyRule[]>> = {
  "attachdetach-controller": rules(`
    list,watch core persistentvolumes,persistentvolumeclaims,pods
    get,list,watch core nodes
    patch,update core nodes/status
    create,delete,get,list,watch storage.k8s.io volumeattachments
    get,list,watch storage.k8s.io csidrivers,csinodes
    ${events}
  `),
  "cronjob-controller": rules(`
    get,list,update,watch batch cronjobs
    create,delete,get,list,patch,update,watch batch jobs
    update batch cronjobs/status,cronjobs/finalizers
    delete,list,watch core pods
    ${events}
  `),
  "daemon-set-controller": rules(`
    get,list,watch apps daemonsets
    update apps daemonsets/status,daemonsets/finalizers
    list,watch core nodes
    create,delete,list,patch,watch core pods
    create core pods/binding
    create,delete,get,list,patch,update,watch apps controllerrevisions
    ${events}
  `),
  "deployment-controller": rules(`
    get,list,update,watch apps deployments
    update apps deployments/status,deployments/finalizers
    create,delete,get,list,patch,update,watch apps replicasets
    get,list,update,watch core pods
    ${events}
  `),
  "disruption-controller": rules(`
    get,list,watch apps deployments,replicasets,statefulsets
    get,list,watch core replicationcontrollers
    get,list,watch policy poddisruptionbudgets
    update policy poddisruptionbudgets/status
    patch,update core pods/status
    list,watch core pods
    get * */scale
    ${events}
  `),
  "endpointslice-controller": rules(`
    get,list,watch core nodes,pods,services
    update core services/finalizers
    create,delete,get,list,update,watch discovery.k8s.io endpointslices
    create discovery.k8s.io endpointslices/restricted
    ${events}
  `),
  "generic-garbage-collector": rules(`
    delete,get,list,patch,update,watch * *
    ${events}
  `),
  "hostpath-provisioner": rules(`
    create,delete,get,list,patch,watch core persistentvolumes
    get,list,patch,watch core persistentvolumeclaims
    patch core persistentvolumeclaims/status
    get,list,watch core nodes
    create,get,list,watch storage.k8s.io storageclasses
    ${events}
  `),
  "job-controller": rules(`
    get,list,patch,update,watch batch jobs
    update batch jobs/status,jobs/finalizers
    create,delete,list,patch,watch core pods
    ${events}
  `),
  "namespace-controller": rules(`
    delete,get,list,watch core namespaces
    update core namespaces/finalize,namespaces/status
    delete,deletecollection,get,list,watch * *
  `),
  "node-controller": rules(`
    delete,get,list,patch,update,watch core nodes
    patch,update core nodes/status,pods/status
    delete,get,list,watch core pods
    get,list,watch coordination.k8s.io leases
    ${events}
  `),
  "pod-garbage-collector": rules(`
    delete,list,watch core pods
    get,list,watch core nodes
    patch core pods/status
  `),
  "replicaset-controller": rules(`
    get,list,update,watch apps replicasets
    update apps replicasets/status,replicasets/finalizers
    create,delete,list,patch,watch core pods
    ${events}
  `),
  "resourcequota-controller": rules(`
    list,watch * *
    update core resourcequotas/status
    ${events}
  `),
  "root-ca-cert-publisher": rules(`
    list,watch core namespaces
    create,get,list,update,watch core configmaps
    ${events}
  `),
  "service-account-controller": rules(`
    list,watch core namespaces,serviceaccounts
    create core serviceaccounts
    ${events}
  `),
  "statefulset-controller": rules(`
    create,delete,get,list,patch,update,watch core pods
    update core pods/finalizers
    get,list,watch apps statefulsets
    update apps statefulsets/status,statefulsets/finalizers
    create,delete,get,list,patch,update,watch apps controllerrevisions
    create,delete,get,list,update,watch core persistentvolumeclaims
    ${events}
  `),
  "ttl-after-finished-controller": rules(`
    delete,get,list,watch batch jobs
    ${events}
  `),
};

const group = (name: string): Subject => ({ kind: "Group", name });
const user = (name: string): Subject => ({ kind: "User", name });

const subjectsOf: Readonly<Record<string, readonly Subject[]>> = {
  "cluster-admin": [group(systemMasters)],
  "system:public-info-viewer": [group(allAuthenticated), group("system:unauthenticated")],
  "system:discovery": [group(allAuthenticated)],
  "system:basic-user": [group(allAuthenticated)],
  "system:monitoring": [group("system:monitoring")],
  "system:service-account-issuer-discovery": [group("system:serviceaccounts")],
  "system:kube-scheduler": [user("system:kube-scheduler")],
  "system:kube-controller-manager": [user("system:kube-controller-manager")],
};

export const builtinBindings: readonly RoleBinding[] = [
  ...Object.entries(clusterRoles).map(([name, rules]) => ({
    role: { name, rules },
    // Some are there for others to be bound to.
    subjects: subjectsOf[name] ?? [],
  })),
  ...Object.entries(controllerRoles).map(([name, rules]) => ({
    role: { name: `system:controller:${name}`, rules },
    subjects: [{ kind: "ServiceAccount" as const, name, namespace: "kube-system" }],
  })),
];

/** The rules of what is built in; never changes. */
export const builtinRules: RuleSource = rulesFromBindings(builtinBindings);

/** What a node may do where {@link NodeAuthorizer} has no narrower rule. As upstream's `NodeRules`. */
export const nodeRules: readonly PolicyRule[] = rules(`
  create authentication.k8s.io tokenreviews
  create authorization.k8s.io subjectaccessreviews,localsubjectaccessreviews
  get,list,watch core services
  ${events}
  get core endpoints
  create,get,list,watch certificates.k8s.io certificatesigningrequests
  get,list,watch storage.k8s.io csidrivers
  get,list,watch node.k8s.io runtimeclasses
`);
