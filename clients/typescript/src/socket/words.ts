/**
 * How the words of a namespace are told to the types: one interface for the hub's events, by name the payload; one for the client's, by
 * name the payload and the acknowledgement of success.
 */

export type Payload<Says extends object, Name extends keyof Says> = Says[Name] extends { payload: infer P } ? P : never;
export type Ack<Says extends object, Name extends keyof Says> = Says[Name] extends { ack: infer A } ? A : never;

/** Events that may be sent without a payload. */
export type Bare<Says extends object> = { [Name in keyof Says]: {} extends Payload<Says, Name> ? Name : never }[keyof Says] & string;
/** Events that take a `clientMessageId`, so that a repeat is known as one. */
export type WriteName<Says extends object> = {
  [Name in keyof Says]: string extends keyof Payload<Says, Name> ? never : "clientMessageId" extends keyof Payload<Says, Name> ? Name : never;
}[keyof Says] & string;

/** One event of the hub with its name. */
export type Heard<Hears extends object> = { [Name in keyof Hears & string]: { readonly name: Name; readonly data: Hears[Name] } }[keyof Hears & string];
