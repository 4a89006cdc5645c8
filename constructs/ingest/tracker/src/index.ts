/** The tracker as a module: shopstream("init", …) starts it. */
import { newShopstream } from "./commands";

export const shopstream = newShopstream();

export type * from "../contract";
export type { Shopstream } from "./commands";
export type { Parts } from "./event";
export type { ConsentState, Settings } from "./settings";
