import type { corev1 } from "../api/index.ts";
import { forbidden, notFound } from "../machinery/index.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./contract.ts";
import { type Lookup, refusal } from "./refuse.ts";

const namespaces = { group: "", resource: "namespaces" };

/** Without them a cluster can't be lived in. */
const immortalNamespaces = new Set(["default", "kube-system", "kube-public"]);

/**
 * Nothing is made in a namespace that does not exist or is on its way out: only so does its deletion come to an end.
 * As `apiserver/pkg/admission/plugin/namespace/lifecycle`.
 */
export function namespaceLifecycle(
  getNamespace: (name: string) => Lookup<corev1.Namespace>,
): AdmissionPlugin {
  return {
    name: "NamespaceLifecycle",
    wants: (request) =>
      isOfNamespaceKind(request)
        ? request.operation === "DELETE"
        : request.operation === "CREATE" && request.namespace !== undefined && !isAccessReview(request),
    async mutate(request) {
      if (isOfNamespaceKind(request)) {
        if (immortalNamespaces.has(request.name) && request.subresource === undefined) {
          throw forbidden(namespaces, request.name, "this namespace may not be deleted");
        }
        return;
      }
      const name = request.namespace!;
      const namespace = await getNamespace(name);
      if (!namespace) throw notFound(namespaces, name);
      if (namespace.status?.phase === "Terminating" || namespace.metadata.deletionTimestamp) {
        throw inTerminatingNamespace(request, name);
      }
    },
  };
}

const isOfNamespaceKind = ({ resource }: AdmissionRequest) =>
  resource.group === "" && resource.resource === "namespaces";

const isAccessReview = ({ resource }: AdmissionRequest) => resource.resource === "localsubjectaccessreviews";

/** Controllers look for the cause, and stop making what can't be made. */
function inTerminatingNamespace(request: AdmissionRequest, namespace: string) {
  const error = refusal(
    request,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  error.status.details!.causes = [
    {
      reason: "NamespaceTerminating",
      message: `namespace ${namespace} is being terminated`,
      field: "metadata.namespace",
    },
  ];
  return error;
}
