import { createCompactCodec } from "../../../machinery/index.ts";
import { enums, messages } from "./messages.ts";

export const { encode, decode } = createCompactCodec({ enums, messages });
