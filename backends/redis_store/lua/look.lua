-- What is new since an entry of the stream, without what this handle told itself.
-- KEYS: meta news epoch sizes   ARGV: run shift last-id tag   ('' as last id: from now on)
-- Returns {epoch, count, entries, id, items}.
if restarted() then return 'RESTARTED' end
local news, last, tag = KEYS[2], ARGV[3], ARGV[4]
local told = tonumber(call('HGET', KEYS[4], 'news') or '0')
local epoch = call('GET', KEYS[3]) or ''
if last == '' then
  local newest = call('XREVRANGE', news, '+', '-', 'COUNT', 1)
  return {epoch, told, 0, newest[1] and newest[1][1] or '0-0', ''}
end
local entries, parts = call('XRANGE', news, '(' .. last, '+', 'COUNT', 200), {}
for i = 1, #entries do
  last = entries[i][1]
  if entries[i][2][4] ~= tag then parts[#parts + 1] = entries[i][2][2] end
end
return {epoch, told, #entries, last, table.concat(parts)}
