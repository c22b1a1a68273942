import type { corev1 } from "../../api/index.ts";
import { parseQuantity } from "../../machinery/index.ts";
import { one } from "./amounts.ts";
import type { Evaluator } from "./evaluator.ts";

const names: ReadonlySet<string> = new Set([
  "count/services",
  "services",
  "services.nodeports",
  "services.loadbalancers",
]);

/** Counterpart upstream: `pkg/quota/v1/evaluator/core.serviceEvaluator`. */
export const serviceEvaluator: Evaluator<corev1.Service> = {
  counts: (name) => names.has(name),
  usage({ spec }) {
    const ports = spec?.ports ?? [];
    const isBalanced = spec?.type === "LoadBalancer";
    const allocated =
      spec?.type === "NodePort" || (isBalanced && spec.allocateLoadBalancerNodePorts !== false)
        ? ports.length
        : isBalanced
          ? ports.filter(({ nodePort }) => Boolean(nodePort)).length
          : 0;
    return {
      "count/services": one,
      services: one,
      "services.nodeports": parseQuantity(String(allocated)),
      "services.loadbalancers": parseQuantity(isBalanced ? "1" : "0"),
    };
  },
  isInScope: () => false,
  lacks: () => undefined,
  handles: ({ operation, subresource }) =>
    (operation === "CREATE" || operation === "UPDATE") && subresource === undefined,
};
