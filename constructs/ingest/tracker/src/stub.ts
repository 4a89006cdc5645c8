// Takes commands until the script is there. For pages that allow inline scripts it can stand in the page itself.
interface Stub {
  (...args: unknown[]): void;
  q?: unknown[];
}

const page = window as unknown as { shopstream?: Stub };
const stub: Stub =
  page.shopstream ||
  function () {
    (stub.q = stub.q || []).push(arguments);
  };
page.shopstream = stub;
