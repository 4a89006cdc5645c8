import type { EventType } from "../contract";
import { loadConfig, USUAL, type Config } from "./config";
import { consentOf, DECISION } from "./consent";
import { clean, encode, fits, isView, type Flat, type Parts } from "./event";
import { correct, uuidv7 } from "./id";
import { openIdentity } from "./identity";
import { doc, now, on, report, stringify, win } from "./native";
import { openQueue } from "./queue";
import type { ConsentState, Settings } from "./settings";
import { openStore } from "./store";
import { openTransport } from "./transport";
import { campaignOf, cleanURL } from "./url";

/** What is sent of a shopper. Undefined: it is not decided yet. */
const enum Mode {
  known = 1, // events with ids
  anonymous, // events without, and nothing on the device
  off,
}

/** An event that waits until it is clear whether and as whose it may go. */
interface Draft {
  type: EventType;
  at: number; // ms
  parts: Flat;
}

const MAX_DRAFTS = 500;
const SAME_MS = 3_000; // within which two sources tell of the same deed

export function openTracker(settings: Settings) {
  const base = settings.endpoint.replace(/\/+$/, "");
  const store = openStore(`shopstream.${settings.shop}/`, DECISION);
  const identity = openIdentity(store, +settings.visitorDays! || 395);
  const queue = openQueue(store);
  const transport = openTransport(settings.shop, base, store, queue);
  const drafts: Draft[] = [];
  let config: Config | undefined;
  let before: Mode | undefined;
  let seq = 0; // of events without ids
  let campaign = "";
  const lot = Math.random() * 100;

  const state = (): ConsentState => consentOf(store, settings);
  const mode = (): Mode | undefined => {
    if (state() === "denied") return settings.denied === "anonymous" ? Mode.anonymous : Mode.off;
    return config && state() === "granted" ? Mode.known : undefined;
  };

  /** Does what the shopper decided, here or in another tab, since it was done last. */
  function settle(): void {
    const current = mode();
    if (current && current !== before) {
      if (current !== Mode.known) {
        store.drop("visitor");
        store.drop("session");
        queue.rewrite((text) => (current === Mode.off ? "" : text.replace(/"(visitor|session)_id":"[^"]*",/g, "")));
      }
      store.keep(current === Mode.known);
      before = current;
    }
    if (current === Mode.off) drafts.length = 0;
    if (current && config) for (const draft of drafts.splice(0)) commit(draft, current === Mode.known);
  }

  function commit({ type, at, parts }: Draft, known: boolean): void {
    if ((known ? parseInt(identity.visitor(at).slice(-6), 16) % 100 : lot) >= config!.percent) return;
    const id = uuidv7(at);
    const text = encode({
      event_id: id,
      type,
      client_ts: new Date(at).toISOString(),
      ...(known ? identity.person(at, campaign) : { seq: seq++ }),
      ...parts,
    });
    if (!fits(text)) return report("event_too_large", type);
    transport.added(queue.put(id, text));
  }

  function record(type: EventType, parts: Flat): void {
    const cleaned = clean(type, { page: { url: url() }, ...parts });
    if (!cleaned) return;
    drafts.push({ type, at: now(), parts: cleaned });
    if (drafts.length > MAX_DRAFTS) drafts.shift(); // the oldest
    settle();
  }

  // The page view of where the page is now; it waits for the page's title.
  let entered: string | undefined; // URL
  let referrer = doc.referrer;
  let pending = false;
  const url = (): string => cleanURL(location.href);
  const view = (): void => {
    if (!pending) return;
    pending = false;
    record("page_view", { page: { url: entered, title: doc.title, referrer } });
  };

  let told: Record<string, [source: number, at: number]> = {};
  let seen = new Set<string>();
  /** Tells of what a shopper did. Of two sources, the first counts; source 0, the shop's own call, always does. */
  const tell = (source: number, type: EventType, parts: Parts): void => {
    view();
    const key = type + stringify(parts);
    const [by, at] = told[type] || [source, 0];
    if (source && (by !== source ? isView(type) || now() - at < SAME_MS : isView(type) && seen.has(key))) return;
    if (type === "purchase" && parts.order) {
      // A page of thanks is loaded again and again.
      const order = parts.order.transaction_id;
      if (order && store.read("order") === order) return;
      store.write("order", order);
    }
    told[type] = [source, now()];
    seen.add(key);
    record(type, parts);
  };

  return {
    tell,
    /** Notices that the page is another now. Reports whether it is. */
    enter(): boolean {
      const at = url();
      if (!at || at === entered) return false;
      view();
      if (entered) referrer = entered;
      campaign = campaignOf(at) || campaign;
      entered = at;
      told = {};
      seen = new Set();
      pending = true;
      return true;
    },
    view,
    consent(decision: ConsentState): void {
      if (decision === state()) return;
      view();
      store.write(DECISION, decision);
      settle();
      if (decision === state()) record("consent", { consent: { state: decision } });
    },
    start(): void {
      const hide = (): void => {
        view();
        config ||= USUAL;
        settle();
        transport.hide();
      };
      on(win, "pagehide", hide);
      on(doc, "visibilitychange", () => (doc.visibilityState === "hidden" ? hide() : transport.show()));
      on(win, "pageshow", (e: PageTransitionEvent) => e.persisted && transport.show());
      on(win, "online", transport.retry);
      on(win, "storage", settle);
      if (state() === "granted") store.keep(true);
      transport.retry();
      void loadConfig(base, settings.shop).then((loaded) => {
        config = loaded;
        correct(loaded.offset);
        settle();
      });
    },
  };
}

export type Tracker = ReturnType<typeof openTracker>;
