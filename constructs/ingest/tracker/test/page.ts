import { vi } from "vitest";
import type { Shopstream } from "../src/commands";
import type { Settings } from "../src/settings";

export const START = Date.parse("2026-03-02T12:00:00Z");

export interface Sent {
  body: any;
  init?: RequestInit;
}

/** A page with a collector that is made of answers. */
export interface Page {
  shopstream: Shopstream;
  posts: Sent[]; // by fetch
  beacons: any[];
  errors: { code: string; message: string }[];
  /** What the collector answers to a batch; "network" is none. */
  answer: (events: any[]) => Answer | "network";
  beaconTakes: (text: string) => boolean;
  seen: (el: Element) => void;
}

export interface Answer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export const accepted = (events: unknown[]): Answer => ({ status: 202, body: { accepted: events.length } });

export interface Options {
  html?: string;
  config?: object;
  date?: string; // that the collector's clock says
  keepStorage?: boolean;
  storageDenied?: boolean;
  gpc?: boolean;
  dnt?: boolean;
  title?: string;
}

let cleanUp: (() => void)[] = [];

/** Opens a page: fresh modules, a fresh document, the device as the page before left it if keepStorage. */
export async function open(settings?: Partial<Settings>, options: Options = {}): Promise<Page> {
  close();
  vi.resetModules();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: options.keepStorage ? Date.now() : START });
  document.head.innerHTML = `<title>${options.title ?? "Boots"}</title>`;
  document.body.innerHTML = options.html ?? "";
  delete (window as any).dataLayer;
  if (!options.keepStorage) localStorage.clear();
  const page: Page = { shopstream: undefined as never, posts: [], beacons: [], errors: [], answer: accepted, beaconTakes: () => true, seen: () => {} };
  const define = (on: object, name: string, value: unknown): void => {
    const before = Object.getOwnPropertyDescriptor(on, name);
    Object.defineProperty(on, name, { value, configurable: true, writable: true });
    cleanUp.push(() => (before ? Object.defineProperty(on, name, before) : delete (on as any)[name]));
  };
  define(window, "fetch", async (url: string, init?: RequestInit) => {
    const respond = ({ status, body, headers }: Answer): Response => new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers });
    if (url.includes("/v1/config")) return respond({ status: 200, body: { v: 1, ...options.config }, headers: options.date ? { Date: options.date } : {} });
    const body = JSON.parse(init!.body as string);
    page.posts.push({ body, init });
    const answer = page.answer(body.events);
    if (answer === "network") throw new TypeError("no network");
    return respond(answer);
  });
  define(navigator, "sendBeacon", (_: string, text: string) => {
    const taken = page.beaconTakes(text);
    if (taken) page.beacons.push(JSON.parse(text));
    return taken;
  });
  define(navigator, "locks", undefined);
  define(history, "pushState", history.pushState);
  define(history, "replaceState", history.replaceState);
  define(navigator, "globalPrivacyControl", options.gpc);
  define(navigator, "doNotTrack", options.dnt ? "1" : null);
  if (options.storageDenied)
    Object.defineProperty(window, "localStorage", {
      configurable: true,
      get() {
        throw new DOMException("denied", "SecurityError");
      },
    });
  class Observer {
    constructor(private f: (entries: object[]) => void) {
      page.seen = (target) => this.f([{ isIntersecting: true, target }]);
    }
    observe(): void {}
    unobserve(): void {}
  }
  define(window, "IntersectionObserver", Observer);
  // What a page hears ends with it.
  for (const target of [window, document] as EventTarget[]) {
    const add = target.addEventListener;
    const heard: [string, any][] = [];
    target.addEventListener = function (type: string, f: any, o?: any) {
      heard.push([type, f]);
      add.call(target, type, f, o);
    };
    cleanUp.push(() => {
      target.addEventListener = add;
      for (const [type, f] of heard) {
        target.removeEventListener(type, f, true);
        target.removeEventListener(type, f);
      }
    });
  }
  window.addEventListener("shopstream:error", (e) => page.errors.push((e as CustomEvent).detail));
  const { newShopstream } = await import("../src/commands");
  page.shopstream = newShopstream();
  if (settings) {
    page.shopstream("init", { shop: "pk_1", endpoint: "https://collect.example/", consent: "granted", errorPercent: 0, ...settings });
    await pass(0);
  }
  return page;
}

const storage = Object.getOwnPropertyDescriptor(window, "localStorage");

export function close(): void {
  for (const f of cleanUp.reverse()) f();
  cleanUp = [];
  if (storage) Object.defineProperty(window, "localStorage", storage);
  else delete (window as any).localStorage;
}

/** Lets time pass, with all that happens meanwhile. */
export const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

/** The events that were sent, by fetch and beacon, each as often as it was. */
export const sent = (page: Page): any[] => [...page.posts.map((p) => p.body), ...page.beacons].flatMap((b) => b.events);

export const types = (page: Page): string[] => sent(page).map((e) => e.type);

export function hide(): void {
  Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
  window.dispatchEvent(new Event("pagehide"));
}

export function show(): void {
  Object.defineProperty(document, "visibilityState", { value: "visible", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}

export const boot = { item_id: "SKU-1", item_name: "Boot", price: 89.95, currency: "EUR" };

/** The names that the device keeps. */
export const stored = (kind: string): string[] => Object.keys(localStorage).filter((key) => key.startsWith(`shopstream.pk_1/${kind}`));
