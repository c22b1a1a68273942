import type { corev1 } from "../../api/index.ts";
import { parseQuantity, type Quantity } from "../../machinery/index.ts";
import { one } from "./amounts.ts";
import type { Evaluator } from "./evaluator.ts";
import { claimInScope } from "./scopes.ts";

const countName = "count/persistentvolumeclaims";
const claims = "persistentvolumeclaims";
const storage = "requests.storage";
/** `fast.storageclass.storage.k8s.io/requests.storage` */
const classSuffix = ".storageclass.storage.k8s.io/";

/** Counterpart upstream: `pkg/quota/v1/evaluator/core.pvcEvaluator`. */
export const claimEvaluator: Evaluator<corev1.PersistentVolumeClaim> = {
  counts: (name) =>
    name === countName ||
    name === claims ||
    name === storage ||
    name.endsWith(`${classSuffix}${claims}`) ||
    name.endsWith(`${classSuffix}${storage}`),
  usage(claim) {
    const bytes = bytesOf(claim);
    const usage: Record<string, Quantity> = { [countName]: one, [claims]: one };
    if (bytes) usage[storage] = bytes;
    const className =
      claim.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? claim.spec?.storageClassName;
    if (!className) return usage;
    usage[`${className}${classSuffix}${claims}`] = one;
    if (bytes) usage[`${className}${classSuffix}${storage}`] = bytes;
    return usage;
  },
  isInScope: claimInScope,
  lacks: () => undefined,
  handles: ({ operation, subresource }) =>
    (operation === "CREATE" || operation === "UPDATE") &&
    (subresource === undefined || subresource === "status"),
};

/** What is asked for, or what a growing volume has got already where that is more; in whole bytes. */
function bytesOf({ spec, status }: corev1.PersistentVolumeClaim): Quantity | undefined {
  const asked = spec?.resources?.requests?.storage;
  if (asked === undefined) return undefined;
  const amounts = [parseQuantity(asked)];
  if (status?.allocatedResources?.storage) amounts.push(parseQuantity(status.allocatedResources.storage));
  const most = amounts.reduce((a, b) => (b.compare(a) > 0 ? b : a));
  return most.milliValue() % 1_000 === 0 ? most : parseQuantity(String(most.value()));
}
