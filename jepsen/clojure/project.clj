; Judges histories of stationmaster-jepsen by the real Elle and Knossos. Not run by this project's tests: see README.md.
(defproject stationmaster-check "0.1.0"
  :dependencies [[org.clojure/clojure "1.11.3"]
                 [elle "0.2.1"]
                 [knossos "0.3.11"]]
  :main stationmaster.check)
