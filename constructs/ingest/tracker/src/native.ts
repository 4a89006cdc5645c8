// What the page may redefine later, as it was when the script started.

export const win = window;
export const doc = document;
export const nav = navigator;

export const { stringify, parse } = JSON;
export const { now } = Date;
const { setTimeout } = win;
export const { fetch: request } = win;
export const beacon = nav.sendBeacon?.bind(nav);
export const fill = win.crypto?.getRandomValues?.bind(win.crypto);
export const locks = nav.locks;

const encoder = new TextEncoder();

/** Bytes of a text in UTF-8. */
export const size = (text: string): number => encoder.encode(text).length;

/** A function that never throws into the page. */
export function safe<A extends unknown[]>(f: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      f(...args);
    } catch (e) {
      report("internal", String(e));
    }
  };
}

/** Calls f once, in ms. */
export const later = (f: () => void, ms: number): number => setTimeout(safe(f), ms);

/** Hears events until the page ends. */
export function on(target: EventTarget, types: string, f: (e: any) => void): void {
  const guarded = safe(f);
  for (const type of types.split(" ")) target.addEventListener(type, guarded, true);
}

/** Tells whoever listens in the page for shopstream:error; nothing is sent. */
export function report(code: string, message: string): void {
  try {
    win.dispatchEvent(new CustomEvent("shopstream:error", { detail: { code, message } }));
  } catch {
    // a page without CustomEvent has nobody who listens
  }
}
