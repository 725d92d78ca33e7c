/** Asking the server: always GET, always beside this page, whatever prefix it has. */

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** A word for what went wrong, where the page has words for it in both languages. */
    readonly code: string | null = null,
  ) {
    super(message)
  }
}

export type Query = Record<string, string | number | null | undefined>

/** The address of `api/<path>`; parts of the path are encoded by the caller with `at`. */
export function address(path: string, query: Query = {}): string {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value != null && value !== '') params.set(key, String(value))
  const text = params.toString()
  return `api/${path}${text && `?${text}`}`
}

/** A path of the API from parts that may hold anything: at`runs/${id}/series`. */
export const at = (texts: TemplateStringsArray, ...parts: (string | number)[]): string =>
  texts.reduce((path, text, i) => path + encodeURIComponent(String(parts[i - 1])) + text)

async function ask(path: string, query: Query | undefined, signal: AbortSignal | undefined): Promise<Response> {
  const response = await fetch(address(path, query), { ...(signal && { signal }) })
  if (!response.ok) {
    const told = await response.json().catch(() => null)
    throw new ApiError(response.status, told?.error ?? response.statusText, told?.code ?? null)
  }
  return response
}

export async function getJson<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  return (await ask(path, query, signal)).json()
}

export async function getBinary(path: string, query?: Query, signal?: AbortSignal): Promise<ArrayBuffer> {
  return (await ask(path, query, signal)).arrayBuffer()
}

/**
 * An address such as `…/#token=abc` is handed over once: the token becomes a cookie that scripts cannot
 * read, and leaves the address before anybody copies it.
 */
export async function exchangeToken(): Promise<void> {
  const match = /[#&?]token=([^&]+)/.exec(location.hash)
  if (!match) return
  history.replaceState(null, '', location.hash.replace(match[0], '').replace(/^#?$/, '#/'))
  const token = decodeURIComponent(match[1] ?? '')
  await fetch(address('session'), { headers: { authorization: `Bearer ${token}` } })
}
