/** Every route of the hub with types, as its OpenAPI document tells them. */

import type { paths } from "../generated/openapi.js";
import { Rest, RestError, type CallOptions, type RestOptions, type StatusCode } from "./request.js";

export type Path = keyof paths & string;
type Verb = "get" | "put" | "post" | "delete" | "patch";
/** The methods of a route. */
export type MethodOf<P extends Path> = { [V in Verb]: paths[P] extends Record<V, infer O> ? ([O] extends [undefined] ? never : V) : never }[Verb];
type Operation<P extends Path, V extends Verb> = paths[P] extends Record<V, infer O> ? NonNullable<O> : never;

type Json<Content> = Content extends { content: { "application/json": infer Body } } ? Body : undefined;
/** What a route answers when it succeeds. */
export type Answer<P extends Path, V extends MethodOf<P>> = Operation<P, V> extends { responses: infer R }
  ? { [S in keyof R & Success]: Json<R[S]> }[keyof R & Success]
  : never;

type Success = 200 | 201 | 202 | 204;
/** What a route answers when it refuses. */
export type Refusal<P extends Path, V extends MethodOf<P>> = Operation<P, V> extends { responses: infer R }
  ? { [S in Exclude<keyof R, Success>]: Json<R[S]> }[Exclude<keyof R, Success>]
  : never;
type CodeIn<Body> = Body extends { error: infer E } ? (E extends string ? E : E extends { code: infer C extends string } ? C : never) : Body extends { code: infer C extends string } ? C : never;
/** The codes that a route refuses with. */
export type RefusalCode<P extends Path, V extends MethodOf<P>> = CodeIn<Refusal<P, V>> | StatusCode;

type Parameters<O> = O extends { parameters: infer P } ? P : never;
type Part<O, Name extends string> = Parameters<O> extends Record<Name, infer Value> ? { [N in Name]: Value }
  : Parameters<O> extends Partial<Record<Name, infer Value>> ? ([Value] extends [undefined] ? unknown : { [N in Name]?: Value }) : unknown;
type BodyPart<O> = O extends { requestBody: infer B } ? { body: Json<B> } : O extends { requestBody?: infer B } ? ([B] extends [undefined] ? unknown : { body?: Json<B> }) : unknown;
/** What a route is asked with. */
export type Question<P extends Path, V extends MethodOf<P>> = Part<Operation<P, V>, "path"> & Part<Operation<P, V>, "query"> & BodyPart<Operation<P, V>> & CallOptions;

type Arguments<Q> = {} extends Q ? [question?: Q] : [question: Q];

/** `call(method, path, {path, query, body, signal, deadlineMs})`, typed by route. */
export type Call = <P extends Path, V extends MethodOf<P>>(method: V, path: P, ...question: Arguments<Question<P, V>>) => Promise<Answer<P, V>>;

/** Calls routes of the hub. */
export function connectRest(options: RestOptions): Call {
  const rest = new Rest(options);
  return (async (method: string, path: string, question: { path?: object; query?: Record<string, unknown>; body?: unknown } & CallOptions = {}) => {
    const { path: values = {}, ...more } = question;
    return rest.request({ ...more, method: method.toUpperCase(), path: filled(path, values as Record<string, unknown>) });
  }) as Call;
}

/** Whether this is the hub's refusal of such a call; its `code` and `body` have their types then. */
export function isRefusal<P extends Path, V extends MethodOf<P>>(error: unknown, method: V, path: P): error is RestError<Refusal<P, V>, RefusalCode<P, V>>;
export function isRefusal(error: unknown): boolean {
  return error instanceof RestError;
}

function filled(path: string, values: Record<string, unknown>): string {
  return path.replace(/\{([^}]+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined || value === "") throw new TypeError(`${path}: ${name} is missing`);
    return encodeURIComponent(String(value));
  });
}
