export type { Evaluator } from "./evaluator.ts";
export { evaluatorFor } from "./evaluators.ts";
export { isAbout, quotaStatus } from "./quota-usage.ts";
