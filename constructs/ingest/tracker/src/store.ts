import { win } from "./native";

/** Texts by name: on the device where that is allowed and works, else in the page. */
export interface Store {
  read(name: string): string | null;
  write(name: string, value: string | number): void;
  drop(name: string): void;
  /** The names that begin so, sorted. */
  names(prefix: string): string[];
  /** Says whether the device may keep what is written, and moves what was. */
  keep(allowed: boolean): void;
  /** Whether the device keeps all of it. */
  kept(): boolean;
}

/** The device always keeps the text of the name decision. */
export function openStore(prefix: string, decision: string): Store {
  const memory = new Map<string, string>(); // what the device doesn't keep
  let allowed = false;
  const disk = <T>(f: (disk: Storage) => T): T | undefined => {
    try {
      return f(win.localStorage);
    } catch {
      // denied or full
    }
  };
  const store: Store = {
    read: (name) => disk((disk) => disk.getItem(prefix + name)) ?? memory.get(name) ?? null,
    write(name, value) {
      memory.set(name, (value += ""));
      if (allowed || name === decision)
        disk((disk) => {
          disk.setItem(prefix + name, value as string);
          memory.delete(name);
        });
    },
    drop(name) {
      memory.delete(name);
      disk((disk) => disk.removeItem(prefix + name));
    },
    names(start) {
      const names = new Set(memory.keys());
      disk((disk) => {
        for (let i = 0; i < disk.length; i++) {
          const key = disk.key(i)!;
          if (key.startsWith(prefix)) names.add(key.slice(prefix.length));
        }
      });
      return [...names].filter((name) => name.startsWith(start)).sort();
    },
    keep(may) {
      allowed = may;
      for (const name of may ? [...memory.keys()] : store.names("")) {
        const value = store.read(name)!;
        if (!may) store.drop(name); // what stays is never away: another tab may look
        store.write(name, value);
      }
    },
    kept: () => allowed && !memory.size,
  };
  return store;
}
