/** The key of a service that wants one. It is kept in this tab's storage alone. */

import { byId } from "./elements.js";

const STORED = "deephar-key";

export const storedKey = () => sessionStorage.getItem(STORED) ?? undefined;

export class KeyForm {
  constructor(onChange) {
    const form = byId("key"), field = byId("key-field");
    byId("key-open").addEventListener("click", () => this.#toggle(form.hidden));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const key = field.value.trim();
      if (!key) return;
      sessionStorage.setItem(STORED, key);
      field.value = "";
      this.#toggle(false);
      onChange();
    });
    byId("key-forget").addEventListener("click", () => {
      sessionStorage.removeItem(STORED);
      this.#toggle(false);
      onChange();
    });
    if (storedKey()) byId("key-open").hidden = false;
  }

  /** Asks for a key. */
  ask() {
    byId("key-open").hidden = false;
    this.#toggle(true);
  }

  #toggle(isOpen) {
    byId("key").hidden = !isOpen;
    byId("key-open").setAttribute("aria-expanded", String(isOpen));
    if (isOpen) byId("key-field").focus();
  }
}
