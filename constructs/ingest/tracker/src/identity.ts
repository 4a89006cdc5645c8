import { uuidv7 } from "./id";
import type { Store } from "./store";

/** Who an event is of. */
export interface Person {
  visitor_id: string;
  session_id: string;
  seq: number;
}

export const SESSION_MS = 30 * 60_000;

/** The visitor and the session, which all tabs read anew for each event. */
export function openIdentity(store: Store, days: number) {
  const words = (name: string): string[] => (store.read(name) || "").split(" ");
  /** The visitor's id; another one after so many days. */
  const visitor = (time: number): string => {
    let [id, since] = words("visitor");
    if (!since || time - +since > days * 864e5) store.write("visitor", `${(id = uuidv7(time))} ${time}`);
    return id!;
  };
  return {
    visitor,
    /** Who an event of now is of. A session ends after 30 minutes without events, at midnight, and with another campaign. */
    person(time: number, campaign: string): Person {
      let [id, at = 0, seq = 0, from] = words("session");
      const last = +at;
      if (time - last > SESSION_MS || new Date(time).getDate() !== new Date(last).getDate() || (campaign && campaign !== from)) {
        id = uuidv7(time);
        seq = 0;
        from = campaign;
      }
      store.write("session", `${id} ${Math.max(time, last)} ${+seq + 1} ${from}`);
      return { visitor_id: visitor(time), session_id: id!, seq: +seq };
    },
  };
}
