import type { Flat } from "../event";
import { doc, parse } from "../native";
import type { Source, TellFields } from "./source";

/** The page's product, where schema.org's JSON-LD describes exactly one. */
export function jsonld(tell: TellFields): Source {
  return {
    scan(): void {
      const products: Flat[] = [];
      const visit = (node: any): void => {
        if (!node || typeof node !== "object") return;
        if (Array.isArray(node)) node.forEach(visit);
        else if (/\bProduct$/.test(node["@type"])) products.push(node);
        else visit(node["@graph"]);
      };
      for (const script of doc.querySelectorAll('script[type="application/ld+json"]')) {
        try {
          visit(parse(script.textContent!));
        } catch {
          // the page's own mistake
        }
      }
      if (products.length === 1) tell("product_view", itemOf(products[0]!));
    },
  };
}

function itemOf(product: Flat): Flat {
  const offer = [product.offers].flat()[0] || {};
  return {
    item_id: product.sku || product.productID || product.mpn || product.gtin13,
    item_name: product.name,
    item_brand: product.brand?.name || product.brand,
    item_category: product.category,
    price: offer.price ?? offer.lowPrice,
    currency: offer.priceCurrency,
  };
}
