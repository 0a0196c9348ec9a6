(ns stationmaster.check
  "lein run append history-append.edn, or: lein run register history-register.edn

  The files hold one map for each line, in Jepsen's form."
  (:require [clojure.edn :as edn]
            [clojure.java.io :as io]
            [clojure.pprint :refer [pprint]]
            [elle.list-append :as append]
            [knossos.competition :as competition]
            [knossos.model :as model])
  (:import (java.io PushbackReader)))

(defn history
  "All entries of clients; what the nemesis did is left out."
  [file]
  (with-open [reader (PushbackReader. (io/reader file))]
    (->> (repeatedly #(edn/read {:eof ::end} reader))
         (take-while #(not= ::end %))
         (remove #(= :nemesis (:process %)))
         vec)))

(defn registers
  "A history for each key: values are [key value]."
  [history]
  (->> history
       (group-by (comp first :value))
       (map (fn [[k ops]] [k (mapv #(update % :value second) ops)]))))

(defn -main [workload file]
  (let [history (history file)
        results (case workload
                  "append" {:elle (append/check {:consistency-models [:strict-serializable]} history)}
                  "register" (into {} (for [[k ops] (registers history)]
                                        [k (competition/analysis (model/cas-register) ops)])))
        valid? (every? (comp true? :valid?) (vals results))]
    (pprint (into {} (for [[k result] results] [k (dissoc result :configs :final-paths)])))
    (println (if valid? "valid" "not valid"))
    (System/exit (if valid? 0 1))))
