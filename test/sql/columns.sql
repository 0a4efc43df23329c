-- The columns of every table, in the order of the contract; "?" marks the hidden ones.
SELECT t.name, (SELECT group_concat(c.name || iif(c.hidden, '?', ''), ' ') FROM pragma_table_xinfo(t.name, 'talea') c)
  FROM pragma_table_list t WHERE schema = 'talea' AND type = 'virtual' ORDER BY t.name;
