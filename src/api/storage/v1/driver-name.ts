import { fieldRequired, fieldTooLong, isDnsSubdomain } from "../../../machinery/index.ts";
import { addInvalid, type FieldErrors } from "../../validation/values.ts";

const driverNameLengthMax = 63;

/** As CSI itself has it: a domain, in whatever case. */
export function validateDriverName(errors: FieldErrors, name: string, path: string): void {
  if (name === "") {
    errors.push(fieldRequired(path));
    return;
  }
  if (name.length > driverNameLengthMax) errors.push(fieldTooLong(path, driverNameLengthMax));
  addInvalid(errors, name, isDnsSubdomain(name.toLowerCase()), path);
}
