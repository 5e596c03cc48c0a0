-- Shared: a signal from one member to others. Needs scope/lib/scope, log, members, and SID (the sender's socket).

-- Publishes to the socket or user that `to` names, or to all but the sender ('' ). `to_key` is the user key of `to` ('' only a
-- socket can be named). False if no member is named.
local function relay(to, to_key, lengths, args)
  local audience = '*'
  if to ~= '' then
    -- A socket's id is looked at first. It may not be one of the entries that name a user or keep the key in being.
    if string.find(to, '^[%w_-]+$') and to ~= '_' and call('HEXISTS', MEMBERS, to) == 1 then
      audience = 's:' .. to
    elseif to_key ~= '' and user_entry(to_key) then
      audience = 'u:' .. to_key
    else
      return false
    end
  end
  publish(audience .. ' ' .. (SID == '' and '-' or SID) .. ' - ' .. lengths .. '\n' .. args)
  return true
end
