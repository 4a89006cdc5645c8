// The adapter as a script of its own, behind the tracker's.
import { shopware } from "./shopware";

(window as unknown as { shopstream?: (command: string, adapter: unknown) => void }).shopstream?.("adapter", shopware);
