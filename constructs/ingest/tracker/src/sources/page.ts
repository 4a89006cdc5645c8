import { doc, later, on, win } from "../native";
import { searchOf } from "../url";
import type { Source, TellFields } from "./source";

const MAX_ERRORS = 5; // of a page

/** What every page tells: searches by its URL or its search box, and its errors. */
export function page(tell: TellFields, errorPercent: number): Source {
  let term = "";
  const search = (words: string): void => {
    if (words && words !== term) tell("search", { search_term: words });
    term = words;
  };
  // A search box whose form goes to another page is told of by that page's URL.
  on(win, "submit", (e: SubmitEvent) =>
    later(() => {
      const box = e.defaultPrevented && (e.target as Element).querySelector<HTMLInputElement>("input[type=search],[role=search] input[type=text]");
      if (box) search(box.value.trim());
    }, 0),
  );
  if (Math.random() * 100 < errorPercent) {
    let left = MAX_ERRORS;
    const failed = (message: unknown, source?: string, line?: number): void => {
      if (left-- > 0) tell("error", { error: { message, source, line } });
    };
    on(win, "error", (e: ErrorEvent) => failed(e.message, e.filename, e.lineno));
    on(win, "unhandledrejection", (e: PromiseRejectionEvent) => failed(e.reason?.message || e.reason));
  }
  return { scan: () => search(searchOf(location.href)) };
}

/** Calls f after the page's address may have changed without a new page. */
export function onNavigation(f: () => void): void {
  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    history[name] = function (this: History) {
      original.apply(this, arguments as any);
      f();
    };
  }
  on(win, "popstate", f);
}

/** Calls f, often too often, after the page's content has changed. */
export function onContent(f: () => void): void {
  new MutationObserver(f).observe(doc.documentElement, { childList: true, subtree: true });
}
