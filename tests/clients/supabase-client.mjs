// Stands in for the identity provider's client: somebody is signed in who has this token, or nobody.
let session = null;
export const signIn = (token) => (session = token ? { access_token: token } : null);
export const supabase = { auth: { getSession: async () => ({ data: { session } }) } };
